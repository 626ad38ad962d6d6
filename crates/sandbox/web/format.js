// WhatsApp's markup (kapso.md 2.2) as a tree, and the tree as elements.
//
// `*bold*`, `_italic_`, `~strike~`, `` `mono` ``, ```` ```block``` ````, `> quote`, `- ` and `1. ` lists. A mark counts at a
// word's edge only, so that 2*3*4 and snake_case_names stay what they are.

const MARKS = { "*": "strong", _: "em", "~": "s" };
const LINK = /^https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]}'*_~]/;
const LONGEST_NESTING = 4;

const isEdge = (char) => char === undefined || /[\s\p{P}\p{S}]/u.test(char);
const isSpace = (char) => char === undefined || /\s/.test(char);

/** Blocks: `{ type: "p" | "quote" | "ul" | "ol" | "pre", … }`. */
export function parse(text) {
  const blocks = [];
  // The fences split the text: every second piece is code.
  text.split(/```/).forEach((piece, place, all) => {
    const closed = place % 2 === 1 && place < all.length - 1;
    if (closed) blocks.push({ type: "pre", text: piece.replace(/^\n|\n$/g, "") });
    else lines(place % 2 === 1 ? "```" + piece : piece, blocks, place > 0);
  });
  return blocks;
}

function lines(text, blocks, afterCode) {
  const body = afterCode ? text.replace(/^\n/, "") : text;
  if (body === "") return;
  for (const line of body.replace(/\n$/, "").split("\n")) {
    const [, mark, rest] = line.match(/^(> ?|[-*•] +|\d{1,3}[.)] +)?(.*)$/su);
    if (mark?.startsWith(">")) add(blocks, "quote", inline(rest));
    else if (mark && /^\d/.test(mark)) add(blocks, "ol", inline(rest), parseInt(mark, 10));
    else if (mark) add(blocks, "ul", inline(rest));
    else add(blocks, "p", inline(line));
  }
}

function add(blocks, type, content, start) {
  const last = blocks.at(-1);
  if (last?.type === type) last.lines.push(content);
  else blocks.push(start === undefined ? { type, lines: [content] } : { type, lines: [content], start });
}

/** Runs: texts, `{ mark, content }`, `{ code }`, `{ link }`. */
export function inline(text, depth = 0) {
  const runs = [];
  let plain = "";
  let place = 0;
  while (place < text.length) {
    const found = depth <= LONGEST_NESTING ? mark(text, place, depth) : null;
    if (found) {
      if (plain) runs.push(plain);
      plain = "";
      runs.push(found.run);
      place = found.end;
    } else {
      plain += text[place];
      place += 1;
    }
  }
  if (plain) runs.push(plain);
  return runs;
}

function mark(text, place, depth) {
  const char = text[place];
  const before = text[place - 1];
  if (char === "h" && isEdge(before)) {
    const link = text.slice(place).match(LINK)?.[0];
    return link ? { run: { link }, end: place + link.length } : null;
  }
  if (char !== "`" && !(char in MARKS)) return null;
  if (!isEdge(before) || isSpace(text[place + 1]) || text[place + 1] === char) return null;
  for (let end = text.indexOf(char, place + 2); end > 0; end = text.indexOf(char, end + 1)) {
    if (isSpace(text[end - 1]) || !isEdge(text[end + 1])) continue;
    const inner = text.slice(place + 1, end);
    const run = char === "`" ? { code: inner } : { mark: MARKS[char], content: inline(inner, depth + 1) };
    return { run, end: end + 1 };
  }
  return null;
}

/** The tree as elements. */
export function rendered(text) {
  const fragment = document.createDocumentFragment();
  for (const block of parse(text)) fragment.append(element(block));
  return fragment;
}

function element(block) {
  if (block.type === "pre") return wrapped("pre", [wrapped("code", [block.text])]);
  if (block.type === "ul" || block.type === "ol") {
    const list = wrapped(
      block.type,
      block.lines.map((line) => wrapped("li", line.map(run))),
    );
    if (block.start > 1) list.start = block.start;
    return list;
  }
  const content = block.lines.flatMap((line, place) => [...(place ? ["\n"] : []), ...line.map(run)]);
  return wrapped(block.type === "quote" ? "blockquote" : "p", content);
}

function run(item) {
  if (typeof item === "string") return item;
  if ("code" in item) return wrapped("code", [item.code]);
  if ("link" in item) return linked(item.link);
  return wrapped(item.mark, item.content.map(run));
}

function linked(address) {
  const link = wrapped("a", [address]);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

function wrapped(tag, children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}
