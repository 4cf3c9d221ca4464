"""A check as JUnit XML, as the schemas of Surefire 3.0 and of Jenkins' xUnit plugin (junit-10) want it.

error            <error>: a run gave no result      warn    passes; what to look at is in <system-out>
fail             <failure type="the outcome">       skip    <skipped> with the reason
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from benchmark.escape import markup

if TYPE_CHECKING:
    from benchmark.judging.cases import Case
    from benchmark.judging.check import Checked


def render(checked: Checked) -> str:
    """The document; equal checks give equal text, so times are 0 and there is no date."""
    marks = [case.mark for case in checked.cases]
    nothing = checked.exit_code == 4
    suite = ET.Element(
        "testsuite",
        name=markup(f"{checked.suite} against {checked.against}"),
        time="0",
        tests=str(len(marks) + nothing),
        errors=str(marks.count("error")),
        skipped=str(marks.count("skip") + nothing),
        failures=str(marks.count("fail")),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("conclusion", checked.conclusion), *(("note", note) for note in checked.notes)):
        ET.SubElement(properties, "property", name=name, value=markup(value))
    if nothing:
        case = ET.SubElement(suite, "testcase", name="anything to judge", time="0")
        case.set("classname", markup(checked.suite))
        ET.SubElement(case, "skipped", message=markup(checked.conclusion))
    for one in checked.cases:
        suite.append(_case(checked.suite, one))
    ET.indent(suite, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _case(suite: str, case: Case) -> ET.Element:
    element = ET.Element(
        "testcase", name=markup(case.name), classname=markup(f"{suite}.{case.experiment}"), time="0"
    )
    message = markup(case.reason)
    if case.mark == "error":
        ET.SubElement(element, "error", type=markup(case.outcome), message=message)
    elif case.mark == "fail":
        ET.SubElement(element, "failure", type=markup(case.outcome), message=message).text = _numbers(case)
    elif case.mark == "skip":
        ET.SubElement(element, "skipped", message=markup(f"{case.outcome}: {case.reason}"))
    else:
        ET.SubElement(element, "system-out").text = markup(f"{case.outcome}: {case.reason}\n{_numbers(case)}")
    return element


def _numbers(case: Case) -> str:
    shown = (("ours", case.ours), ("compared with", case.theirs), ("worse by", case.difference))
    return markup("\n".join(f"{name}: {value}" for name, value in shown if value))
