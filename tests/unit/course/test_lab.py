"""What a lab's process is spared."""

import subprocess
import sys


def test_a_lab_s_charts_parse_no_grammar():
    """One that Altair's checks of a chart would only look for, and never use."""
    code = (
        "import sys; from constraintlab.course import Lab; Lab('00'); import altair; "
        "print('rfc3987_syntax.syntax_helpers' in sys.modules, 'jsonschema' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "True"], ran.stderr
