import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// Everything the page needs is served by the program itself: no CDN, no inlined assets that a strict
// Content-Security-Policy would refuse.
export default defineConfig({
  plugins: [svelte()],
  base: '/',
  worker: { format: 'es' },
  build: { target: 'es2022', assetsInlineLimit: 0, outDir: 'dist', emptyOutDir: true, rollupOptions: { input: { index: 'index.html', pipes: 'pipes.html' } } },
});
