"""The Python lines of README.md, on a tiny run."""

import re

from motionrft.configuration.files import ROOT


def test_the_python_lines_run(model_file, reward_folder, tmp_path, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    own = [
        block
        for block in blocks
        if "motionrft.load_model(" in block or "motionrft.finetune(" in block
    ]
    assert len(own) == 2
    block = "\n".join(own)
    monkeypatch.chdir(tmp_path)
    placed = re.sub(r'load_model\(".*?"\)', f"load_model({str(model_file)!r})", block)
    placed = re.sub(r'load_reward\(".*?"\)', f"load_reward({str(reward_folder)!r})", placed)
    names = {}
    exec(compile(placed, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "torch.Size([48, 22, 3]) 20.0" in printed
    assert "total_percentile" in printed
    assert (tmp_path / "wave.npz").exists()
    assert (tmp_path / "results/toy/finetune/mldpp/raised.safetensors").exists()
    rewards = names["raised"].record.query("name == 'reward'")["value"].to_numpy()
    assert len(rewards) == 20
