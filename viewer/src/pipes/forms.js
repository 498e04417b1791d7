// How the inputs of a process become fields, and what a tool begins with. What a process knows comes from its own description.

/** What kind of field an input is: by its schema; a geometry's type stands in its description. `null`: no hand types it. */
export function kindOf(name, input) {
  const s = input?.schema ?? {};
  if (s.format === 'geojson-geometry') {
    const about = s.description ?? '';
    return /LineString/.test(about) ? 'line' : /Polygon/.test(about) ? 'area' : /^Point/.test(about) ? 'point' : 'place';
  }
  if (s.enum) return 'choice';
  if (s.type === 'boolean') return 'flag';
  if (s.type === 'number' || s.type === 'integer' || (Array.isArray(s.type) && s.type.includes('number'))) return 'number';
  if (s.type === 'array') return s.items?.enum ? 'choices' : s.items?.type === 'string' ? 'ids' : s.items?.type === 'number' ? 'numbers' : null;
  return s.type === 'string' ? (name === 'class' ? 'class' : 'text') : null;
}

// Inputs that the page itself sets, or that no hand types.
export const own = new Set(['at', 'crs', 'proposal', 'drawings', 'delivery', 'limits', 'valves', 'title']);

// Shown first though the schema does not require them.
export const firsts = {
  trace: ['mode', 'to', 'max_distance_m'], profile: ['pipes', 'from', 'to'], planned: ['subclass', 'dn_mm', 'depth_m', 'material', 'pressure', 'owner'], statistics: ['by', 'area'], clearance: ['area'], cover: ['area'],
  encroach: ['area'], risk: ['area'], isolate: ['stuck'], excavate: ['slope'], hydraulics: ['close', 'extended'], drainage: ['intensity_mm_h'], section: ['width_m', 'exaggeration'],
};

// What a tool begins with where the schema has no default.
export const presets = {
  planned: { class: 'JS', dn_mm: 300, depth_m: 2.0 }, excavate: { depth_m: 3 }, statistics: { by: 'class' }, topology: { class: 'JS' }, segments: { class: 'JS', limit: 200 }, section: { drawings: ['svg', 'dxf'] },
  profile: { drawings: ['svg', 'dxf'] }, trace: { mode: 'connected' },
};

/** A tool's name on its button; what is not here has its process's own title. */
export const short = {
  section: ['横断面', 'Section'], profile: ['纵断面', 'Profile'], trace: ['追踪', 'Trace'], isolate: ['爆管关阀', 'Burst'], excavate: ['开挖', 'Excavate'], clearance: ['净距', 'Clearance'], planned: ['规划管线', 'Plan a pipe'], cover: ['覆土', 'Cover'],
  encroach: ['占压', 'Encroach'], risk: ['风险', 'Risk'], statistics: ['统计', 'Statistics'], hydraulics: ['水力', 'Hydraulics'], drainage: ['排水', 'Drainage'], topology: ['拓扑', 'Topology'], segments: ['阀段', 'Segments'],
};
/** The tools in the order of the work; what the server has beyond them comes after. */
export const order = ['section', 'profile', 'trace', 'isolate', 'excavate', 'clearance', 'planned', 'cover', 'encroach', 'risk', 'statistics', 'hydraulics', 'drainage', 'topology', 'segments'];
// They have a screen of their own.
export const elsewhere = new Set(['qc', 'compare-survey', 'supervision']);
