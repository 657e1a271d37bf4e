// Reports of several engines, side by side: `npm run bench -- --beside node.json --beside page.json`.
import type { Row } from './cases.ts';
import { byCase, familiesOf, formatRatio, formatSeconds, formatShare, headerOf, type Report } from './report.ts';

const row = (items: readonly string[]): string => `| ${items.join(' | ')} |`;
const same = (a: Row, b: Row): boolean => a.family === b.family && a.case === b.case;

/** The other library that took the least time, as a multiple of ours. */
function fastest(group: readonly Row[], peers: readonly string[]): string {
  const others = group.filter(({ side, ratio }) => peers.includes(side) && ratio !== null);
  const [best] = others.sort((a, b) => (a.ratio as number) - (b.ratio as number));
  return best ? `${formatRatio(best)} ${best.side}` : '–';
}

/**
 * A table a family as Markdown: for each engine our best time, its share of the limit of that run, and the fastest of
 * the other libraries there.
 *
 * @param reports what `--json` wrote, with `engine` as the head of its columns
 * @param peers names of the sides that are other libraries
 */
export function formatEngines(reports: readonly Report[], peers: readonly string[]): string {
  const names = reports.map(({ engine }) => engineName(engine));
  const lines = reports.map((report) => `- ${headerOf(report).join('; ')}`);
  const [first] = reports as [Report];
  for (const family of familiesOf(first)) {
    lines.push('', `### ${family}, by engine`, '');
    lines.push(row(['case', ...names.flatMap((name) => [name, 'of limit', 'fastest other'])]));
    lines.push(row(['---', ...reports.flatMap(() => ['---:', '---:', '---:'])]));
    for (const [lead] of byCase(first.rows.filter((item) => item.family === family)) as [Row][]) {
      const cells = reports.flatMap((report) => {
        const group = report.rows.filter((item) => same(item, lead));
        const own = group.find(({ side }) => side === report.sides[0]?.name);
        return own
          ? [formatSeconds(own.seconds.best), formatShare(own.share), fastest(group, peers)]
          : ['–', '', fastest(group, peers)];
      });
      lines.push(row([lead.case, ...cells]));
    }
  }
  return lines.join('\n');
}

/** `Node 24.1.0` of Node's name with V8's, and a browser with its version of a page's long one. */
function engineName(engine: string): string {
  const browser = /(Firefox|Chrome|HeadlessChrome|Version)\/[\d]+/.exec(engine);
  return browser
    ? browser[0].replace('Headless', '').replace('Version', 'Safari').replace('/', ' ')
    : engine.replace(/ \(.*/, '');
}
