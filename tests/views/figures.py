"""Reading the numbers and the drawings of a job's page."""

import re


def numbers(page: str) -> dict[str, str]:
    """The numbers of a page by their names, from text that `reading.text` gave; drawings beside them are left out."""
    found = re.findall(r"<dt>(.*?)</dt> ?<dd>(.*?)</dd>", page)
    return {re.sub(r"<.*?>", "", name).strip(): value.strip() for name, value in found}


def widths(page: str) -> list[float]:
    """The widths, in percent, of the parts of the first bar on a page."""
    bar = page.split('class="rows-bar"')[1].split("</svg>", maxsplit=1)[0]
    return [float(width) for width in re.findall(r' width="([\d.]+)%" height="100%"', bar)]
