"""A check as JUnit XML, as the schemas of Surefire 3.0 and of Jenkins' xUnit plugin (junit-10) want it.

error            <error>: a run gave no result      warn    passes; what to look at is in <system-out>
fail             <failure type="the outcome">       skip    <skipped> with the reason
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.judging.cases import Case
    from benchmark.judging.check import Checked

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2)."""


def render(checked: Checked) -> str:
    """The document; equal checks give equal text, so times are 0 and there is no date."""
    marks = [case.mark for case in checked.cases]
    nothing = checked.exit_code == 4
    suite = ET.Element(
        "testsuite",
        name=_clean(f"{checked.suite} against {checked.against}"),
        time="0",
        tests=str(len(marks) + nothing),
        errors=str(marks.count("error")),
        skipped=str(marks.count("skip") + nothing),
        failures=str(marks.count("fail")),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("conclusion", checked.conclusion), *(("note", note) for note in checked.notes)):
        ET.SubElement(properties, "property", name=name, value=_clean(value))
    if nothing:
        case = ET.SubElement(suite, "testcase", name="anything to judge", time="0")
        case.set("classname", _clean(checked.suite))
        ET.SubElement(case, "skipped", message=_clean(checked.conclusion))
    for one in checked.cases:
        suite.append(_case(checked.suite, one))
    ET.indent(suite, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _case(suite: str, case: Case) -> ET.Element:
    element = ET.Element(
        "testcase", name=_clean(case.name), classname=_clean(f"{suite}.{case.experiment}"), time="0"
    )
    message = _clean(case.reason)
    if case.mark == "error":
        ET.SubElement(element, "error", type=_clean(case.outcome), message=message)
    elif case.mark == "fail":
        ET.SubElement(element, "failure", type=_clean(case.outcome), message=message).text = _numbers(case)
    elif case.mark == "skip":
        ET.SubElement(element, "skipped", message=_clean(f"{case.outcome}: {case.reason}"))
    else:
        ET.SubElement(element, "system-out").text = _clean(f"{case.outcome}: {case.reason}\n{_numbers(case)}")
    return element


def _numbers(case: Case) -> str:
    shown = (("ours", case.ours), ("compared with", case.theirs), ("worse by", case.difference))
    return _clean("\n".join(f"{name}: {value}" for name, value in shown if value))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
