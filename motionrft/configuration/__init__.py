"""The configuration of a run: one file that names everything, resolved into one plain dictionary.

A run file (`config/toy.yaml`) names a corpus, backbones, methods, seeds. `resolve` pulls in
`config/backbones/<name>.yaml` at the run's size and `config/methods/<name>.yaml`, lays the run's own
sections over those of its size (`config/reward/small.yaml`, …), applies the run's `override:` block,
and validates the whole against `workflow/schemas`, which also fill the defaults in.
"""

from motionrft.configuration.files import ROOT as ROOT
from motionrft.configuration.files import available as available
from motionrft.configuration.files import part as part
from motionrft.configuration.files import read_yaml as read_yaml
from motionrft.configuration.layers import apply_set as apply_set
from motionrft.configuration.layers import as_written as as_written
from motionrft.configuration.layers import merge as merge
from motionrft.configuration.layers import typed as typed
from motionrft.configuration.methods import trains as trains
from motionrft.configuration.resolve import dump as dump
from motionrft.configuration.resolve import load_run as load_run
from motionrft.configuration.resolve import resolve as resolve
