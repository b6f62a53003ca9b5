/* style.h - how the page looks: one column, light or dark as the reader's system is, tables that scroll when
 * they are too wide, and ink saved in print. */
#ifndef ONEBOX_REPORT_STYLE_H
#define ONEBOX_REPORT_STYLE_H

static const char report_style[] =
    ":root{--ink:#1c2430;--soft:#5b6675;--line:#dde3ea;--paper:#fff;--tint:#f4f6f9;--link:#0b5cad;"
    "--bar:#cfe0f3;--warn:#8a4b00;--warn-tint:#fff4e0}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#9aa7b5;--line:#313b47;--paper:#14191f;"
    "--tint:#1c232c;--link:#7db8f5;--bar:#24405f;--warn:#ffc069;--warn-tint:#33260f}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:66rem;padding:1.5rem 1.25rem 3rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:.2em 0 .1em}\n"
    "h2{font-size:1.45rem;margin:2.6rem 0 .4rem;padding-top:.8rem;border-top:1px solid var(--line)}\n"
    "h3{font-size:1.05rem;margin:1.8rem 0 .4rem}\n"
    "p{margin:.3rem 0 .8rem}header p,.note,figcaption,footer{color:var(--soft)}\n"
    ".note,figcaption,footer{font-size:.9rem}\n"
    "a{color:var(--link)}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;margin:1rem 0 0;font-weight:600}\n"
    "nav a{text-decoration:none}nav a:hover{text-decoration:underline}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.95rem}\n"
    "th,td{padding:.28rem .8rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
    "thead th{color:var(--soft);font-weight:600;background:var(--tint)}\n"
    "tbody th{font-weight:600}th:first-child,.text{text-align:left}\n"
    "td.text{white-space:normal;overflow-wrap:anywhere;min-width:9rem}td.key{font-weight:600}\n"
    "th.bar{min-width:12rem;background:linear-gradient(to right,var(--bar) var(--p),transparent var(--p))}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:.8rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "code,pre{font-family:ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace;font-size:.86em}\n"
    "pre{margin:.5rem 0;padding:.7rem .9rem;background:var(--tint);border-radius:.4rem;overflow-x:auto}\n"
    "summary{cursor:pointer;color:var(--link)}\n"
    "figure{margin:1.2rem 0}\n"
    "img{display:block;max-width:100%;height:auto;background:#fff;border:1px solid var(--line);"
    "border-radius:.4rem}\n"
    "figcaption{margin:.4rem 0}\n"
    ".gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,29rem),1fr));"
    "gap:.4rem 1.4rem;align-items:start}\n"
    ".warn{padding:.5rem .9rem;border-left:.25rem solid var(--warn);background:var(--warn-tint)}\n"
    "footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.6rem}\n"
    "@media (max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}\n"
    "@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--tint:#fff;--link:#000;--bar:#ddd}"
    "body{max-width:none;padding:0;font-size:10.5pt}nav{display:none}h2,h3{break-after:avoid}"
    "figure,tr{break-inside:avoid}.wide{overflow:visible}pre{white-space:pre-wrap}"
    "th.bar{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

#endif
