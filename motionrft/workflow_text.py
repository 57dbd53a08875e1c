"""Which text feature files a run makes, and who waits for which."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from motionrft.configuration.encoders import evaluator_reads_text, family_facts, text_widths
from motionrft.workflow_resources import Resources, Wildcards


@dataclass(frozen=True)
class TextFiles(Resources):
    """The text feature files of a resolved run."""

    @property
    def results(self) -> str:
        return f"results/{self.run['name']}"

    def text_file(self, encoder: str) -> str:
        return f"{self.results}/text/{encoder}.safetensors"

    @property
    def encoders(self) -> list[str]:
        """The text encoders that something of the run reads."""
        read = [
            self.run["reward"]["text"],
            *(entry["text"] for entry in self.run["backbones"].values()),
        ]
        if self.text_of_evaluator() or self.text_of_judge():
            read.append(self.run["evaluator"]["text"])
        return sorted(set(read))

    def text_of_backbone(self, wildcards: Wildcards) -> str:
        return self.text_file(self.run["backbones"][wildcards.backbone]["text"])

    def text_of_stage(self, wildcards: Wildcards) -> list[str]:
        """The text that a pre-training stage reads: none, where it learns from motions alone."""
        textless = family_facts(self.run["backbones"][wildcards.backbone]).get("textless", [])
        needed = wildcards.stage not in textless or not self._widths_known(wildcards.backbone)
        return [self.text_of_backbone(wildcards)] if needed else []

    def text_of_import(self, wildcards: Wildcards) -> list[str]:
        """The text that an import takes two widths from: none, where the run says them."""
        return [] if self._widths_known(wildcards.backbone) else [self.text_of_backbone(wildcards)]

    def _widths_known(self, backbone: str) -> bool:
        encoder = self.run["text"][self.run["backbones"][backbone]["text"]]
        return text_widths(encoder) is not None

    def text_of_evaluator(self) -> list[str]:
        """The text that the evaluator reads: none, where it is an official one with words of its own."""
        read = evaluator_reads_text(self.run["evaluator"])
        return [self.text_file(self.run["evaluator"]["text"])] if read else []

    def text_of_judge(self) -> list[str]:
        """The text that the evaluator of validations reads: a judge of its own is trained here, and reads the section's."""
        if self.run["evaluator"].get("judge") is None:
            return self.text_of_evaluator()
        return [self.text_file(self.run["evaluator"]["text"])]

    @staticmethod
    def option(name: str, files: str | Sequence[str]) -> str:
        """`--name 'file' …` for a command line; nothing without files. files: a job's input, one or several."""
        several = [files] if isinstance(files, str) else files
        return shlex.join([name, *several]) if several else ""

    def synthetic_encoder(self, wildcards: Wildcards) -> list[str]:
        """The directory of an encoder that the run makes; one with a source elsewhere has none."""
        entry = self.run["text"][wildcards.encoder]
        elsewhere = {"source", "sources"} & set(entry)
        return [] if elsewhere else [f"{self.results}/text/{wildcards.encoder}"]
