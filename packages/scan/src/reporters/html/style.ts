/** The style of the report: system fonts, light and dark, and print. Every colour is checked for contrast on its ground. */
export const style = `
:root{color-scheme:light dark;--ground:#fff;--panel:#f6f7f9;--line:#d9dde3;--text:#14181f;--soft:#545d6b;--accent:#0b57b0;
--broken:#a8201a;--broken-ground:#fdeceb;--held:#14683a;--held-ground:#e6f5ec;--open:#7a4a00;--open-ground:#fff3da;
--na:#8a93a1;--code:#f1f3f6;--critical:#8c1310;--high:#a8401a;--medium:#7a4a00;--low:#3d5573}
@media(prefers-color-scheme:dark){:root{--ground:#0f1216;--panel:#171b21;--line:#2d333c;--text:#e8ebef;--soft:#a3adba;
--accent:#7db4ff;--broken:#ff8f87;--broken-ground:#3a1715;--held:#63d596;--held-ground:#11301f;--open:#f2c14e;
--open-ground:#35290d;--na:#6b7584;--code:#1b2027;--critical:#ff8f87;--high:#ffab7a;--medium:#f2c14e;--low:#9fc0e8}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:1160px;margin:0 auto;padding:0 24px}
header{padding-top:36px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:20px;margin:52px 0 6px;letter-spacing:-.005em}
h3{font-size:16px;margin:0}
p{margin:6px 0 12px}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
code,pre,.mono{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{overflow-wrap:anywhere}
.soft{color:var(--soft)}
.lead{color:var(--soft);max-width:75ch}
.eyebrow{font-size:12px;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:0 0 6px}
.facts{display:flex;flex-wrap:wrap;gap:4px 20px;color:var(--soft);margin:0;padding:0;list-style:none;font-size:14px}
.facts b{color:var(--text);font-weight:600}
.verdict{display:flex;flex-wrap:wrap;align-items:baseline;gap:8px 20px;border-left:5px solid var(--na);background:var(--panel);padding:16px 20px;margin:24px 0 0;border-radius:0 8px 8px 0}
.verdict strong{font-size:20px}
.verdict.is-broken{border-color:var(--broken)}.verdict.is-broken strong{color:var(--broken)}
.verdict.is-open{border-color:var(--open)}.verdict.is-open strong{color:var(--open)}
.verdict.is-held{border-color:var(--held)}.verdict.is-held strong{color:var(--held)}
nav{position:sticky;top:0;z-index:5;background:var(--ground);border-bottom:1px solid var(--line);margin-top:24px}
nav ul{max-width:1160px;margin:0 auto;padding:8px 24px;display:flex;gap:4px 20px;list-style:none;overflow-x:auto;white-space:nowrap}
nav a{text-decoration:none;font-size:14px}
nav a:hover{text-decoration:underline}
section{scroll-margin-top:48px}
.scores{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:16px 0 8px;padding:0;list-style:none}
.score{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:14px 16px}
.score .number{font-size:30px;font-weight:650;line-height:1.1;font-variant-numeric:tabular-nums}
.score .name{text-transform:capitalize;font-weight:600}
.score progress{width:100%;height:6px;appearance:none;border:0;border-radius:3px;background:var(--line);margin:10px 0 6px;display:block;overflow:hidden}
.score progress::-webkit-progress-bar{background:var(--line)}
.score progress::-webkit-progress-value{background:var(--held)}
.score progress::-moz-progress-bar{background:var(--held)}
.score small{color:var(--soft);display:block;font-size:12.5px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;margin:14px 0}
.matrix{border-collapse:separate;border-spacing:0;font-size:13px;min-width:100%}
.matrix th,.matrix td{border-bottom:1px solid var(--line);padding:0}
.matrix tr:last-child th,.matrix tr:last-child td{border-bottom:0}
.matrix thead th{vertical-align:bottom;height:148px;min-width:30px;width:30px;font-weight:500;background:var(--panel)}
.matrix thead th span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;padding:8px 5px}
.matrix thead th a{color:inherit;text-decoration:none}
.matrix tbody th{position:sticky;left:0;background:var(--ground);text-align:left;font-weight:400;padding:4px 14px;white-space:nowrap;border-right:1px solid var(--line);z-index:1}
.matrix thead th:first-child{position:sticky;left:0;z-index:2;text-align:left;padding:8px 14px;border-right:1px solid var(--line)}
.matrix td{text-align:center;height:28px;font-weight:700}
.matrix td+td{border-left:1px solid color-mix(in srgb,var(--line) 45%,transparent)}
.matrix tbody tr:hover th,.matrix tbody tr:hover td:not([class]){background:var(--panel)}
.matrix .n{color:var(--na);font-weight:400}
.b{background:var(--broken-ground);color:var(--broken)}.h{background:var(--held-ground);color:var(--held)}.i{background:var(--open-ground);color:var(--open)}
.matrix td a{color:inherit;text-decoration:none;display:block;line-height:28px}
.legend{display:flex;flex-wrap:wrap;gap:6px 18px;font-size:13px;color:var(--soft);padding:0;list-style:none;margin:8px 0}
.legend i{display:inline-block;width:22px;text-align:center;border-radius:4px;font-style:normal;font-weight:700;margin-right:6px}
.filters{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:center;background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 14px;margin:14px 0;font-size:14px}
.filters fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:4px 12px}
.filters legend{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.filters input[type=search],.filters select{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:6px;padding:4px 8px;min-width:0}
.filters label{display:inline-flex;gap:5px;align-items:center}
.filters output{margin-left:auto;color:var(--soft)}
.finding{border:1px solid var(--line);border-radius:8px;margin:10px 0;background:var(--ground);overflow:hidden}
.finding>summary{cursor:pointer;list-style:none;padding:12px 16px;display:grid;grid-template-columns:76px 1fr auto;gap:4px 14px;align-items:baseline}
.finding>summary::-webkit-details-marker{display:none}
.finding>summary:hover{background:var(--panel)}
.finding[open]>summary{border-bottom:1px solid var(--line);background:var(--panel)}
.finding .where{grid-column:2/-1;color:var(--soft);font-size:13px}
.finding .count{color:var(--soft);font-size:13px;white-space:nowrap}
.severity{font-size:12px;font-weight:650;text-transform:uppercase;letter-spacing:.04em}
.critical{color:var(--critical)}.high{color:var(--high)}.medium{color:var(--medium)}.low{color:var(--low)}
.tag{display:inline-block;border:1px solid var(--line);border-radius:10px;padding:0 8px;font-size:12px;color:var(--soft);white-space:nowrap}
.tag.is-new{color:var(--broken);border-color:currentColor}.tag.is-accepted{color:var(--open);border-color:currentColor}
.body{padding:14px 16px 18px}
.body h4{font-size:13px;margin:20px 0 6px;color:var(--soft);font-weight:600}
.body h4:first-child{margin-top:0}
.body ul.operations{margin:0;padding-left:18px;columns:2 320px}
pre{background:var(--code);border:1px solid var(--line);border-radius:6px;padding:10px 12px;margin:0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.exchanges{display:grid;gap:10px}
.exchange{border:1px solid var(--line);border-radius:6px;overflow:hidden}
.exchange>p{margin:0;padding:6px 12px;background:var(--panel);font-size:13px;border-bottom:1px solid var(--line)}
.exchange>p b{font-weight:600}
.exchange.is-attack>p{color:var(--broken)}
.pair{display:grid;grid-template-columns:1fr 1fr}
.pair pre{border:0;border-radius:0;max-height:22em;overflow:auto}
.pair pre+pre{border-left:1px solid var(--line)}
.protection{margin:36px 0 0}
.protection>h3{font-size:18px;display:flex;align-items:baseline;gap:12px}
.protection>h3 .count{font-weight:400;font-size:14px;color:var(--soft)}
.protection>.lead{margin:2px 0 8px;max-width:95ch;font-size:14px}
.fix{border-left:3px solid var(--held);padding:4px 0 4px 14px;margin:12px 0}
.fix>summary{cursor:pointer;font-size:14px}
.fix h4{font-size:13px;margin:14px 0 6px;color:var(--soft);font-weight:600}
.plain{border-collapse:collapse;width:100%;font-size:14px;margin:12px 0}
.plain th{text-align:left;font-weight:600;color:var(--soft);font-size:13px}
.plain th,.plain td{padding:7px 14px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
.plain td:first-child,.overview td:nth-child(2){white-space:nowrap}
.plain td{overflow-wrap:anywhere}
.overview td:nth-child(2){text-transform:capitalize}
.kind{font-weight:600;white-space:nowrap}.k-broken{color:var(--broken)}.k-held{color:var(--held)}.k-inconclusive{color:var(--open)}.k-not-applicable{color:var(--soft);font-weight:400}
#unproved h3{margin:28px 0 0}
footer{margin-top:56px;padding-bottom:40px;color:var(--soft);font-size:13px}
[hidden],.paper{display:none!important}
@media(max-width:720px){main,header,footer{padding-left:16px;padding-right:16px}header{padding-top:22px}nav ul{padding:8px 16px}.scores{grid-template-columns:1fr 1fr}
h1{font-size:23px}.pair{grid-template-columns:1fr}.pair pre+pre{border-left:0;border-top:1px solid var(--line)}
.finding>summary{grid-template-columns:1fr auto}.finding>summary .why{grid-column:1/-1;grid-row:2}.finding .where{grid-column:1/-1}
.matrix tbody th{max-width:46vw;overflow:hidden;text-overflow:ellipsis;padding:4px 10px}.filters output{margin-left:0}
.plain thead{display:none}.plain tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}.plain td{display:block;border:0;padding:1px 0}
.plain td:first-child{font-weight:600;white-space:normal}
.overview td:nth-child(2),.overview td:nth-child(3){display:inline-block;margin-right:12px}}
@media print{@page{size:A4;margin:15mm 14mm}@page wide{size:A4 landscape;margin:9mm 10mm}
:root{color-scheme:light;--ground:#fff;--panel:#f6f7f9;--line:#cdd2d9;--text:#000;--soft:#444c58;--accent:#000;--broken:#a8201a;
--broken-ground:#fdeceb;--held:#14683a;--held-ground:#e6f5ec;--open:#7a4a00;--open-ground:#fff3da;--na:#6b7584;--code:#f6f7f9;
--critical:#8c1310;--high:#a8401a;--medium:#7a4a00;--low:#3d5573}
body{font-size:10pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
main,header,footer{max-width:none;padding:0}nav,.filters{display:none}.paper{display:block!important}header{padding-top:0}
#ledger{page:wide}.scroll{overflow:visible;border:0}.matrix{width:100%;font-size:7.5pt}.matrix tbody th{position:static;padding:1px 6px}
.matrix thead th{position:static;height:118px;min-width:0;width:auto}.matrix thead th:first-child{position:static}
.matrix td,.matrix td a{height:15px;line-height:15px}.matrix tbody th{line-height:1.2}.overview{font-size:8.5pt}.overview td,.overview th{padding:3px 10px 3px 0}#ledger h2{margin-top:0}#ledger .lead{margin-bottom:4px}.scroll{margin:4px 0}.matrix thead{display:table-header-group}.matrix tr{break-inside:avoid}
details::details-content{display:block;content-visibility:visible;block-size:auto}
.finding{break-inside:auto;border-width:0 0 1px;border-radius:0;margin:0}.finding>summary{break-after:avoid;padding:4px 0;background:none!important;font-size:9pt;line-height:1.3;gap:0 10px}
.finding .where,.finding .count{font-size:7.5pt}.severity{font-size:7.5pt}.tag{border:0;padding:0 6px 0 0;font-size:7.5pt}
.body{padding:0 0 4px;font-size:8.5pt}.body p{margin:2px 0}.body h4{margin:4px 0 2px;font-size:8pt}.ids{font-size:7pt}.cwe,.ids{display:inline-block}
.body ul.operations{columns:3 140px;font-size:7pt;line-height:1.25}.exchanges{gap:4px}.exchange{break-inside:avoid}.exchange>p{padding:2px 8px;font-size:7.5pt}
.exchange.is-again,.exchange.is-negative{display:none}.pair pre{max-height:9.4em;overflow:hidden;font-size:6.5pt;padding:4px 8px;line-height:1.25}.more>pre{font-size:6.5pt;max-height:6.4em;overflow:hidden;line-height:1.25}
.protection{margin:10px 0 0}.protection>h3{font-size:12pt;margin:0;break-after:avoid}.protection>.lead,.protection>p{margin:1px 0;font-size:8.5pt}
.fix{margin:4px 0;padding:0 0 0 10px;break-inside:avoid}.fix>summary{font-size:8.5pt}.fix h4{margin:2px 0}.fix pre{font-size:6.5pt;padding:4px 8px;line-height:1.25}
.codes{display:grid;grid-template-columns:1fr 1fr;gap:8px}.code{min-width:0}.code:not(.is-portcullis,.is-express){display:none}
.finding>summary,.finding[open]>summary{border:0}.finding~.finding .proof,.all-where,.operations.is-short{display:none!important}
.finding~.finding .body{padding:0 0 3px}.finding~.finding>summary{padding:3px 0 0}.finding~.finding .body p{margin:0 12px 0 0}.protection{break-inside:auto}
.ids code,.operations code{font-size:inherit}.finding~.finding .page{display:none}.finding~.finding .body{display:flex;flex-wrap:wrap;align-items:baseline}.finding~.finding .operations{flex-basis:100%;order:2}
#unproved h3{margin:12px 0 0}#unproved .plain{font-size:8pt;margin:4px 0}#unproved .plain td{padding:2px 10px 2px 0}
h2{margin-top:18px;break-after:avoid}h4{break-after:avoid}a{text-decoration:none;color:inherit}
.finding~.finding .more{display:none}.score{break-inside:avoid}pre{font-size:8pt}.plain tr{break-inside:avoid}}
`;
