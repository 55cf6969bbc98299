"""What a scrape of /metrics says, as a dictionary: `alertops_executions{status="running"}` -> 3.0."""

from __future__ import annotations

import requests
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 10


def scrape(api_url: str) -> dict[str, float]:
    """The figures of an API that runs as a process of its own."""
    answer = requests.get(f"{api_url}/metrics", timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return read_figures(answer.text)


def read_figures(text: str) -> dict[str, float]:
    """Every sample by its name and labels; none may be there twice."""
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in figures, f"{name} is there twice"
            figures[name] = sample.value
    return figures
