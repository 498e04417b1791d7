// The typed client as its user has it: client.mjs URL TOKEN STRATA → one JSON line.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync, cpSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const [url, token, strata] = process.argv.slice(2);
const here = import.meta.dirname, root = join(here, '../..');
const work = mkdtempSync(join(tmpdir(), 'strata-client-'));
cpSync(join(root, 'clients/typescript'), work, { recursive: true });
symlinkSync(join(here, 'node_modules'), join(work, 'node_modules'));
execFileSync(join(root, 'tools/client.sh'), [strata, join(work, 'fresh.d.ts')], { stdio: 'inherit' });
const same = readFileSync(join(work, 'fresh.d.ts'), 'utf8') === readFileSync(join(work, 'strata.d.ts'), 'utf8');
const tsc = (file) => {
  try {
    execFileSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--allowImportingTsExtensions', '--skipLibCheck', '--typeRoots', './none', file], { cwd: work, encoding: 'utf8' });
    return '';
  } catch (e) { return e.stdout; }
};
writeFileSync(join(work, 'globals.d.ts'), 'declare const process: { argv: string[] };\n');
const reference = '/// <reference path="./globals.d.ts" />\n';
writeFileSync(join(work, 'example.ts'), reference + readFileSync(join(work, 'example.ts'), 'utf8'));
const sound = tsc('example.ts');
// A name that no process has must not pass.
writeFileSync(join(work, 'bad.ts'), reference + readFileSync(join(work, 'example.ts'), 'utf8').replace('place: worst.pipe', 'at_pipe: worst.pipe'));
const refused = tsc('bad.ts');
await build({ entryPoints: [join(work, 'example.ts')], bundle: true, platform: 'node', format: 'esm', outfile: join(work, 'example.mjs'), logLevel: 'error' });
const said = JSON.parse(execFileSync(process.execPath, [join(work, 'example.mjs'), url, token], { encoding: 'utf8' }));
console.log(JSON.stringify({ same, sound, refused: refused.includes('at_pipe'), ...said }));
