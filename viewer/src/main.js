import '@fontsource-variable/noto-sans-sc';
import './style.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { warm } from './twin.js';

warm();
mount(App, { target: document.getElementById('app') });
