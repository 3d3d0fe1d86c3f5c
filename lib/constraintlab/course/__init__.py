"""The course: what a lab's first cell imports."""

from constraintlab.course import exercises as exercises  # registers the checkers
from constraintlab.course import exercises_engine as exercises_engine
from constraintlab.course import exercises_plan as exercises_plan
from constraintlab.course import exercises_streaming as exercises_streaming
from constraintlab.course import exercises_tail as exercises_tail
from constraintlab.course.lab import Lab

__all__ = ["Lab"]
