// The script of a page with charts: where the pointer is, the legend tells the values there; a click on a name hides
// its line. All can be read without it.

/**
 * It goes by what lines in SVG themselves say. It is text, as that of workers is: what bundlers make of functions may
 * need what a page does not have.
 */
const TEXT = `for (const svg of document.querySelectorAll('svg[data-ends]')) {
  const [x0, x1, logX, y0, y1, logY] = JSON.parse(svg.dataset.ends);
  const [left, right, top, bottom] = svg.dataset.frame.split(' ').map(Number);
  const { width, height } = svg.viewBox.baseVal;
  const make = (name) => svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  const [rule, place] = [make('path'), make('text')];
  rule.setAttribute('stroke', 'var(--soft)');
  place.setAttribute('y', top + 10);
  const value = (share, from, to, log) => {
    const at = from + share * (to - from);
    return String(Number((log ? 10 ** at : at).toPrecision(4)));
  };
  const legend = svg.nextElementSibling?.matches('.legend') ? [...svg.nextElementSibling.children] : [];
  const rows = [...svg.querySelectorAll('path.line')].map((line, i) => {
    const points = line.getAttribute('d').split(/[ML]/).slice(1).map((point) => point.split(' ').map(Number));
    const cell = legend[i]?.querySelector('b');
    if (legend[i]) legend[i].onclick = () => {
      const hides = line.style.display !== 'none';
      line.style.display = hides ? 'none' : '';
      legend[i].style.opacity = hides ? 0.4 : '';
    };
    return { points, cell, last: cell?.textContent };
  });
  svg.onpointerleave = () => {
    rule.setAttribute('d', '');
    place.textContent = '';
    for (const { cell, last } of rows) if (cell) cell.textContent = last;
  };
  svg.onpointermove = ({ clientX }) => {
    const box = svg.getBoundingClientRect();
    const x = Math.min(width - right, Math.max(left, ((clientX - box.left) * width) / box.width));
    const late = x > width / 2;
    rule.setAttribute('d', 'M' + x + ' ' + top + 'V' + (height - bottom));
    place.setAttribute('x', x + (late ? -6 : 6));
    place.setAttribute('text-anchor', late ? 'end' : 'start');
    place.textContent = value((x - left) / (width - left - right), x0, x1, logX);
    for (const { points, cell } of rows) {
      if (!cell || points.length === 0) continue;
      const near = points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
      cell.textContent = value((height - bottom - near[1]) / (height - top - bottom), y0, y1, logY);
    }
  };
}`;

/** HTML of the script. */
export const READOUT = `<script>${TEXT}</script>`;
