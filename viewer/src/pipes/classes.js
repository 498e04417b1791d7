// The eight classes of CJJ 61-2017: letters, names, legal fill, casing, and ink for text on light and dark ground.
export const classes = {
  JS: { zh: '给水', en: 'Water', fill: '#00FFFF', casing: '#26303A', ink: ['#007575', '#00FFFF'] },
  PS: { zh: '排水', en: 'Drains', fill: '#4C3926', casing: '#E8EDF2', ink: ['#4C3926', '#A87E54'] },
  RQ: { zh: '燃气', en: 'Gas', fill: '#FF00FF', casing: '#26303A', ink: ['#BD00BD', '#FF00FF'] },
  RL: { zh: '热力', en: 'Heat', fill: '#FF8000', casing: '#26303A', ink: ['#A85400', '#FF8000'] },
  DL: { zh: '电力', en: 'Power', fill: '#FF0000', casing: '#26303A', ink: ['#DB0000', '#FF3333'] },
  TX: { zh: '通信', en: 'Telecom', fill: '#00FF00', casing: '#26303A', ink: ['#007F00', '#00FF00'] },
  GY: { zh: '工业', en: 'Industry', fill: '#000000', casing: '#E8EDF2', ink: ['#17202A', '#B3BFCC'] },
  QT: { zh: '其他', en: 'Other', fill: '#6600CC', casing: '#E8EDF2', ink: ['#6600CC', '#B061FF'] },
};

/** Metres for people: no more digits than the data carries, thin spaces between groups. */
export const metres = (m, digits = 2) => (m === null || m === undefined ? '–' : m.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replaceAll(',', '\u2009'));
export const count = (n) => (n ?? 0).toLocaleString('en').replaceAll(',', '\u2009');
/** Millimetres are the most that a survey knows; integers stay whole. */
export const number = (v, digits = 3) => (Number.isInteger(v) ? count(v) : v.toLocaleString('en', { maximumFractionDigits: digits }).replaceAll(',', '\u2009'));

/** A verdict is a sign and a word before it is a colour. */
export const verdicts = {
  clash: { mark: '✗', tone: 'bad', zh: '碰撞', en: 'clash' },
  violation: { mark: '✗', tone: 'bad', zh: '不满足', en: 'violation' },
  exception: { mark: '!', tone: 'ask', zh: '须论证', en: 'needs an exception' },
  uncertain: { mark: '?', tone: 'ask', zh: '不能判定', en: 'too uncertain' },
  sound: { mark: '✓', tone: 'good', zh: '满足', en: 'sound' },
};

/** National colours of alert levels, each with a shape of its own. */
export const levels = { 1: ['Ⅰ', '⬢', '#D7263D'], 2: ['Ⅱ', '◆', '#F07C1E'], 3: ['Ⅲ', '▲', '#F2C230'], 4: ['Ⅳ', '●', '#3E8EDE'] };

/** Ink of what is laid over the maps, on light and on dark ground. Classes keep their own hue: an overlay is a band, a ring or a dimension. */
export const tones = {
  bad: ['#C3262E', '#FF6B6B'], ask: ['#B54700', '#FF8A3D'], good: ['#17744A', '#56C596'], plain: ['#0B62B8', '#5AB0F5'], shut: ['#0B62B8', '#5AB0F5'], cut: ['#6B3FB0', '#C9A7FF'],
  valve: ['#17202A', '#E8EDF2'], user: ['#44515E', '#B3BFCC'], quiet: ['#44515E', '#B3BFCC'], plan: ['#0B62B8', '#5AB0F5'],
};
