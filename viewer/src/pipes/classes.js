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
