// Sorting and filtering; without it the page is the same, only still.
const table = document.querySelector("#problems table");
const rows = table ? [...table.tBodies[0].rows] : [];
const value = (row, column) => {
  const cell = row.cells[column], text = cell.dataset.value;
  if (text === undefined) return cell.textContent.toLowerCase();
  return text === "" ? Infinity : Number(text);
};
for (const button of document.querySelectorAll("#problems th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => {
      const p = value(a, column), q = value(b, column);
      return (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1);
    });
    table.tBodies[0].append(...rows);
  });
}
const search = document.querySelector("#search"), only = document.querySelector("#only");
const filter = () => {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const hit = (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(wanted)
      && (!only.checked || row.dataset.failed === "yes");
    row.hidden = !hit;
    shown += hit;
  }
  document.querySelector("#shown").textContent = `${shown} of ${rows.length}`;
};
if (search) { search.addEventListener("input", filter); only.addEventListener("change", filter); filter(); }
