// --- sortable, filterable tables
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === ""); // rows without a number stay last
      const numeric = !isNaN(x) && !isNaN(y);
      const order = numeric ? x - y : String(x).localeCompare(String(y));
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows);
  }));
}
document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const table of document.querySelectorAll("#answers table")) {
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      left += !row.hidden;
    }
    const scroll = table.closest(".scroll");
    scroll.hidden = left === 0;
    if (scroll.previousElementSibling?.tagName === "H3") scroll.previousElementSibling.hidden = left === 0;
  }
});
// --- figures: one backbone at a time
const figuresOf = document.getElementById("figures-of");
function showFigures() {
  for (const figure of document.querySelectorAll(".picture")) {
    let left = 0;
    for (const image of figure.querySelectorAll("img")) {
      image.hidden = image.dataset.backbone !== "" && image.dataset.backbone !== figuresOf.value;
      left += !image.hidden;
    }
    figure.hidden = left === 0;
  }
}
figuresOf.addEventListener("change", showFigures);
showFigures();
// --- a link to a part opens it; print shows all
function open(id) {
  const place = id && document.getElementById(id);
  for (let part = place; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  place?.scrollIntoView();
}
for (const link of document.querySelectorAll("nav a, a[href^='#table-']")) link.addEventListener("click", () => setTimeout(open, 0, link.hash.slice(1)));
if (location.hash && !location.hash.startsWith("#motion=")) open(location.hash.slice(1));
window.addEventListener("beforeprint", () => document.querySelectorAll("details.question").forEach((part) => (part.open = true)));
