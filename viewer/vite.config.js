import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The planner's page asks for its largest part at once, not when its scripts have come.
const early = {
  name: 'early-wasm',
  transformIndexHtml: {
    order: 'post',
    handler(_, { bundle, filename }) {
      const wasm = Object.keys(bundle ?? {}).find((n) => n.endsWith('.wasm'));
      if (!wasm || !filename.endsWith('index.html')) return [];
      return [{ tag: 'link', attrs: { rel: 'preload', href: `/${wasm}`, as: 'fetch', type: 'application/wasm', crossorigin: 'anonymous' }, injectTo: 'head' }];
    },
  },
};

// Everything the page needs is served by the program itself: no CDN, no inlined assets that a strict
// Content-Security-Policy would refuse.
export default defineConfig({
  plugins: [svelte(), early],
  base: '/',
  worker: { format: 'es' },
  build: { target: 'es2022', assetsInlineLimit: 0, outDir: 'dist', emptyOutDir: true, rollupOptions: { input: { index: 'index.html', pipes: 'pipes.html' } } },
});
