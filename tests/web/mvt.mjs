// Decodes one vector tile with Mapbox's reader: mvt.mjs FILE → {layers: {name: {features, types, keys}}}.
import { readFileSync } from 'node:fs';
import { VectorTile } from '@mapbox/vector-tile';
import { PbfReader } from 'pbf';
import * as pbf from 'pbf';

const Reader = PbfReader ?? pbf.default ?? pbf.Pbf;
const tile = new VectorTile(new Reader(readFileSync(process.argv[2])));
const layers = {};
for (const [name, layer] of Object.entries(tile.layers)) {
  const types = {};
  const keys = new Set();
  let points = 0;
  for (let i = 0; i < layer.length; i++) {
    const f = layer.feature(i);
    types[f.type] = (types[f.type] ?? 0) + 1;
    Object.keys(f.properties).forEach((k) => keys.add(k));
    points += f.loadGeometry().flat().length;
  }
  layers[name] = { features: layer.length, extent: layer.extent, types, keys: [...keys].sort(), points };
}
console.log(JSON.stringify({ layers }));
