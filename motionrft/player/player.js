"use strict";
// Plays the motions of the element #players (motionrft/player/stick_figure.py says what is in it).
const { entries, ...body } = JSON.parse(document.getElementById("players").textContent);
const { fps } = body;
const pick = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const state = { moment: 0, playing: true, yaw: 0.6, pitch: 0.15 };
const views = [...document.querySelectorAll(".view")].map((figure) => ({
  figure, motion: null, canvas: figure.querySelector("canvas"), model: figure.querySelector("select"),
  facts: figure.querySelector(".facts"), bvh: figure.querySelector(".bvh"),
}));
const shown = () => views.filter((view) => view.motion);
const entry = () => entries[+pick("backbone").value];
const longest = () => Math.max(...shown().map((view) => framesOf(view.motion, body)));

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => new Option(name, i, false, i === chosen)));
}
function choose() {
  const prompt = +pick("prompt").value;
  for (const view of views) {
    if (view.figure.hidden) { view.motion = null; continue; }
    const model = entry().models[+view.model.value];
    view.motion = decode(model.motions[prompt]);
    const facts = [model.facts?.[prompt], `${(framesOf(view.motion, body) / fps).toFixed(1)} s`];
    view.facts.textContent = facts.filter(Boolean).join(" · ");
    view.canvas.setAttribute("aria-label", `${model.model}: ${entry().prompts[prompt]}`);
    view.bvh.hidden = !model.bvh;
  }
  remember();
}
function chooseBackbone() {
  const { prompts, models, show } = entry();
  fill(pick("prompt"), prompts, 0);
  views.forEach((view, i) => {
    view.figure.hidden = i >= show.length;
    fill(view.model, models.map((m) => m.model), show[i]);
  });
  choose();
}
// --- the address holds what is shown, so that a link brings it back
function remember() {
  const parts = [entry().backbone, pick("prompt").value, ...views.filter((v) => !v.figure.hidden).map((v) => v.model.value)];
  history.replaceState(null, "", "#motion=" + parts.map(encodeURIComponent).join(","));
}
function recall() {
  if (!location.hash.startsWith("#motion=")) return false;
  const [backbone, prompt, ...models] = location.hash.slice(8).split(",").map(decodeURIComponent);
  const place = entries.findIndex((each) => each.backbone === backbone);
  if (place < 0) return false;
  pick("backbone").value = place;
  chooseBackbone();
  if (entry().prompts[+prompt] !== undefined) pick("prompt").value = prompt;
  models.forEach((model, i) => { if (views[i] && entry().models[+model]) views[i].model.value = model; });
  choose();
  return true;
}
// --- drawing
let before = performance.now();
function tick(now) {
  if (state.playing) state.moment += ((now - before) / 1000) * +pick("speed").value;
  if (state.moment * fps >= longest()) state.moment = 0;
  for (const { canvas, motion } of shown()) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    drawMoment(context, motion, body, state, canvas.width, canvas.height);
  }
  pick("scrub").value = (state.moment * fps) / longest();
  document.body.dataset.frame = Math.floor(state.moment * fps);
  before = now;
  requestAnimationFrame(tick);
}
function play(on) {
  state.playing = on;
  pick("play").textContent = on ? "Pause" : "Play";
  pick("play").setAttribute("aria-pressed", on);
}
// --- files
function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
async function saveBvh(view) {
  const model = entry().models[+view.model.value];
  const packed = Uint8Array.from(atob(model.bvh[+pick("prompt").value]), (c) => c.charCodeAt(0));
  const text = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  save(await new Response(text).blob(), `${entry().backbone || "motion"}-${model.model}-${+pick("prompt").value + 1}.bvh`);
}
function film(width = 240, height = 220) { // pictures [h * n w] of every second frame, as RGBA
  const canvas = Object.assign(document.createElement("canvas"), { width: width * shown().length, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const held = state.moment, pictures = [];
  for (let frame = 0; frame < longest(); frame += 2) {
    state.moment = frame / fps;
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--paper");
    context.fillRect(0, 0, canvas.width, height);
    shown().forEach(({ motion }, i) => {
      context.save(); context.translate(i * width, 0); context.beginPath(); context.rect(0, 0, width, height); context.clip();
      drawMoment(context, motion, body, state, width, height); context.restore();
    });
    pictures.push(context.getImageData(0, 0, canvas.width, height).data);
  }
  state.moment = held;
  return gif(pictures, canvas.width, height, Math.round(200 / fps));
}
// --- what a person does
if (entries.length) {
  fill(pick("backbone"), entries.map((each) => each.backbone), entries.findIndex((each) => each.first));
  pick("backbone").parentElement.hidden = entries.length < 2;
  pick("backbone").addEventListener("change", chooseBackbone);
  pick("prompt").addEventListener("change", choose);
  pick("play").addEventListener("click", () => play(!state.playing));
  pick("gif").addEventListener("click", () => save(film(), `${entry().backbone || "motion"}-${+pick("prompt").value + 1}.gif`));
  pick("scrub").addEventListener("input", (event) => { play(false); state.moment = (event.target.value * longest()) / fps; });
  for (const view of views) {
    view.model.addEventListener("change", choose);
    view.bvh.addEventListener("click", () => saveBvh(view));
    rotatable(view.canvas, state);
  }
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("select, input, button, summary, a, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const turn = { ",": -1, ".": 1 }[event.key], step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], other = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === " ") play(!state.playing);
    else if (turn) state.yaw += turn * 0.15;
    else if (step) { play(false); state.moment = (((Math.floor(state.moment * fps) + step + longest()) % longest()) + 0.01) / fps; }
    else if (other) { const n = entry().prompts.length; pick("prompt").value = (+pick("prompt").value + other + n) % n; choose(); }
    else return;
    event.preventDefault();
  });
  if (!recall()) chooseBackbone();
  if (still) play(false);
  requestAnimationFrame(tick);
} else {
  pick("motions").hidden = true;
}
