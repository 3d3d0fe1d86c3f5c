"""The charts: each file has `NAME`, `title`, `rows` and `chart(theme)`, authored in Altair."""

from constraintlab.panel.charts import roofline, timeline, worth

CHARTS = (worth, roofline, timeline)
