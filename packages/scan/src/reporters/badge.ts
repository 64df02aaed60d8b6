import type { Report } from "../report.ts";

/** A badge for a README, as SVG without scripts, styles or anything from elsewhere. */
export function badgeReport({ result, findings }: Report): string {
  const { held, broken, inconclusive } = result.counts;
  const accepted = findings.filter((finding) => finding.accepted !== undefined).length;
  const all = held + broken + inconclusive;
  const open = findings.length - accepted;
  const text = all === 0 ? "nothing proved" : `${held}/${all} held${open === 0 && broken > 0 ? ", rest accepted" : ""}`;
  const color = all === 0 ? "#6b7280" : open > 0 ? "#b42318" : held === all ? "#157a3f" : "#8a5a00";
  const label = "portcullis";
  const left = widthOf(label);
  const width = left + widthOf(text);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${label}: ${text}">
<title>${label}: ${text}</title>
<clipPath id="r"><rect width="${width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#30363d"/><rect x="${left}" width="${width - left}" height="20" fill="${color}"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"><text x="${left / 2}" y="14">${label}</text><text x="${left + (width - left) / 2}" y="14">${text}</text></g>
</svg>
`;
}

/** Verdana at 11 px takes seven pixels a letter, and five to each side. */
function widthOf(text: string): number {
  return text.length * 7 + 10;
}
