import '@fontsource-variable/noto-sans-sc';
import 'maplibre-gl/dist/maplibre-gl.css';
import '../style.css';
import { mount } from 'svelte';
import Pipes from './Pipes.svelte';

mount(Pipes, { target: document.getElementById('app') });
