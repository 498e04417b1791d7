// Words of the supervision screen, in both languages.
const words = {
  pipes: ['管线', 'Pipes'], survey: ['采集', 'Survey'], live: ['监测', 'Live'], permits: ['审批', 'Permits'], supervision: ['监管', 'Supervision'],
  synthetic_data: ['合成数据', 'Synthetic data'], loading: ['正在载入…', 'Loading…'], running: ['正在计算…', 'Working…'], close: ['关闭', 'Close'], none: ['没有结果', 'Nothing found'],
  section: ['横断面', 'Section'], profile: ['纵断面', 'Profile'], trace: ['追踪', 'Trace'], isolate: ['爆管关阀', 'Burst'], excavate: ['开挖', 'Excavate'], clearance: ['净距', 'Clearance'], cover: ['覆土', 'Cover'], encroach: ['占压', 'Encroachment'],
  pick_two: ['在地图上点两点', 'Click two points on the map'], pick_pipe: ['在地图上点一条管线', 'Click a pipe on the map'], pick_area: ['点出多边形，回车结束', 'Click a polygon, Enter ends it'],
  upstream: ['上游', 'upstream'], downstream: ['下游', 'downstream'], connected: ['连通', 'connected'], direction: ['方向', 'Direction'], depth_m: ['深度', 'Depth'],
  stuck: ['阀门卡死', 'Valve stuck'], open_case: ['新建案件', 'Open a case'], state: ['状态', 'State'], due: ['到期', 'Due'], overdue: ['超期', 'overdue'], days_left: ['剩余工作日', 'working days left'],
  events: ['经过', 'What happened'], steps: ['可办步骤', 'Open steps'], take: ['办理', 'Take'], reason: ['理由', 'Reason'], parties: ['会签单位', 'Owners to agree'], agreed: ['同意', 'agreed'], objected: ['异议', 'objected'], silent: ['未答复', 'not yet answered'],
  violations: ['违规项', 'Violations'], no_cases: ['还没有案件。把方案（/api/proposals）挂到新案件上即可开始。', 'No cases yet. Open one for a proposal (/api/proposals).'],
  by: ['按', 'by'], class: ['类别', 'Class'], material: ['材质', 'Material'], decade: ['建设年代', 'Decade built'], owner: ['权属单位', 'Owner'], status: ['状态', 'Status'], length: ['长度', 'Length'], number: ['段数', 'Pipes'], total: ['合计', 'Total'], unknown: ['未知', 'not known'],
  findings: ['发现', 'Findings'], rule: ['规则', 'Rule'], level: ['级别', 'Level'], where: ['位置', 'Where'], check_stock: ['检查库存管线', 'Check the pipes of the city'], error: ['错误', 'error'], warn: ['警告', 'warning'],
  alarms: ['报警', 'Alarms'], sensors: ['传感器', 'Sensors'], no_alarms: ['没有报警', 'No alarms'], latest: ['最近', 'Latest'], connected_stream: ['实时流已连接', 'Live stream connected'], stream_off: ['实时流断开', 'Live stream off'], acknowledge: ['确认', 'Acknowledge'],
  measured: ['实测', 'Measured'], required: ['要求', 'Required'], clause: ['条款', 'Clause'], verdict: ['判定', 'Verdict'], object: ['对象', 'Object'], sign_in: ['请用启动程序打印的地址登录', 'Sign in with the address that the program printed'],
  download: ['下载', 'Download'], flat: ['平面', '2D'], twin: ['三维', '3D'], faults: ['不合格', 'faults'], run: ['运行', 'Run'], filter_view: ['只看视野内', 'In view only'], as_of: ['截至', 'as of'], theme: ['明暗', 'Light or dark'], planner: ['规划', 'Planner'],
  no_gpu: ['此浏览器无法显示三维：既无 WebGPU 也无 WebGL 2。', 'No 3D in this browser: neither WebGPU nor WebGL 2.'],
};

export const say = (lang, key) => {
  const entry = words[key];
  if (!entry || entry.length !== 2) throw new Error(`no words for ${key}`);
  return entry[lang === 'zh' ? 0 : 1];
};
