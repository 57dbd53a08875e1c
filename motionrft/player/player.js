"use strict";
// Plays the motions of the element #players (motionrft/player/stick_figure.py says what is in it).
const { entries, ...body } = JSON.parse(document.getElementById("players").textContent);
const { fps } = body;
const pick = (id) => document.getElementById(id);
const state = { moment: 0, playing: true, yaw: 0.6, pitch: 0.15, left: null, right: null };
function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => new Option(name, i, false, i === chosen)));
  select.parentElement.hidden = names.length < 2;
}
function choose() {
  const entry = entries[+pick("backbone").value];
  const single = entry.models.length === 1;
  pick("view-right").parentElement.hidden = single;
  for (const side of ["left", "right"]) {
    const model = entry.models[+pick(side).value];
    state[side] = side === "right" && single ? null : decode(model.motions[+pick("prompt").value]);
    pick("name-" + side).textContent = model.model;
  }
}
function chooseBackbone() {
  const entry = entries[+pick("backbone").value];
  fill(pick("prompt"), entry.prompts, 0);
  pick("prompt").parentElement.hidden = false; // it says what is seen
  fill(pick("left"), entry.models.map((m) => m.model), 0);
  fill(pick("right"), entry.models.map((m) => m.model), entry.beside);
  choose();
}
let before = performance.now();
function tick(now) {
  const shown = ["left", "right"].filter((side) => state[side]);
  const frames = Math.max(...shown.map((side) => framesOf(state[side], body)));
  if (state.playing) state.moment += ((now - before) / 1000) * +pick("speed").value;
  for (const side of shown) drawMoment(pick("view-" + side), state[side], body, state);
  if (state.moment * fps >= frames) state.moment = 0;
  pick("scrub").value = (state.moment * fps) / frames;
  document.body.dataset.frame = Math.floor(state.moment * fps);
  before = now;
  requestAnimationFrame(tick);
}
if (entries.length) {
  fill(pick("backbone"), entries.map((entry) => entry.backbone), 0);
  pick("backbone").addEventListener("change", chooseBackbone);
  for (const id of ["prompt", "left", "right"]) pick(id).addEventListener("change", choose);
  pick("play").addEventListener("click", (event) => {
    state.playing = !state.playing;
    event.target.textContent = state.playing ? "Pause" : "Play";
    event.target.setAttribute("aria-pressed", state.playing);
  });
  pick("scrub").addEventListener("input", (event) => {
    state.playing = false; pick("play").textContent = "Play"; pick("play").setAttribute("aria-pressed", false);
    const longest = Math.max(...["left", "right"].map((side) => (state[side] ? framesOf(state[side], body) : 0)));
    state.moment = (event.target.value * longest) / fps;
  });
  for (const id of ["view-left", "view-right"]) rotatable(pick(id), state);
  chooseBackbone();
  requestAnimationFrame(tick);
} else {
  pick("motions").hidden = true;
}
