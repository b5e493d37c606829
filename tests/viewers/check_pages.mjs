// Opens pages (--report) in headless Chromium, light and dark, on a laptop and on a phone: no error on the console, no
// request to anywhere, the elements that there must be counted by role, a screenshot of each into the folder given (those of
// run, sweep and validate are kept in docs/pages: look at them when a page changes).
//   node check_pages.mjs FOLDER NAME=page.html …
import fs from 'node:fs'; import path from 'node:path'; import { pathToFileURL } from 'node:url';
import { browser } from './lib.mjs';
const [folder, ...pages] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
// Pictures, tables and sections at the least.
const wanted = { run: { img: 5, table: 5, heading: 13 }, sweep: { img: 3, table: 2, heading: 5 },
  validate: { img: 1, table: 2, heading: 2 }, plan: { img: 1, table: 3, heading: 4 } };
let ok = 0, bad = 0;
const check = (what, holds, seen) => { holds ? ok++ : bad++; if (!holds) console.log('FAIL', what, JSON.stringify(seen)); };
for (const page of pages) {
  const [name, file] = page.split('=');
  for (const scheme of ['light', 'dark']) for (const width of [1280, 390]) {
    const b = await browser(), requests = [];
    await b.page.setViewportSize({ width, height: 900 });
    await b.page.emulateMedia({ colorScheme: scheme });
    b.page.on('request', r => requests.push(r.url()));
    const url = pathToFileURL(path.resolve(file)).href;
    await b.page.goto(url);
    await b.page.waitForTimeout(500);
    const label = `${name} ${scheme} ${width}`;
    check(`${label}: the console`, b.log.length === 0, b.log);
    check(`${label}: requests`, requests.filter(r => r !== url && !r.startsWith('data:')).length === 0, requests);
    for (const [role, least] of Object.entries(wanted[name] ?? {})) {
      const count = role === 'heading' ? await b.page.locator('h2').count() : await b.page.getByRole(role).count();
      check(`${label}: ${role}`, count >= least, count);
    }
    const wide = await b.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`${label}: no sideways scrolling`, wide <= 1, wide);
    if (name === 'run') {
      const box = await b.page.locator('#timeline').boundingBox();
      await b.page.mouse.move(box.x + box.width / 2, box.y + 10);
      await b.page.mouse.wheel(0, -400);
      await b.page.waitForTimeout(100);
      check(`${label}: the timeline says what is under the pointer`, (await b.page.locator('#hover').textContent()) !== null, null);
    }
    await b.page.screenshot({ path: path.join(folder, `${name}-${scheme}-${width}.jpg`), fullPage: true, type: 'jpeg', quality: 45 });
    await b.close();
  }
}
console.log(`${ok} passed, ${bad} failed`);
process.exit(bad ? 1 : 0);
