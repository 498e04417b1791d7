"""Links, a valve layer and the segments that WNTR finds, as JSON: valve_segments.py NETWORK.inp (random|strategic) N SEED."""
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import wntr

path, placement, n, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
model = wntr.network.WaterNetworkModel(path)
valves = wntr.network.generate_valve_layer(model, placement, n, seed)
began, clock = time.process_time(), time.perf_counter()
nodes, links, _ = wntr.metrics.valve_segments(model.to_graph(), valves)
seconds, wall = time.process_time() - began, time.perf_counter() - clock
json.dump({
    "wntr": wntr.__version__,
    "seconds": seconds,
    "wall": wall,
    "links": [[name, l.start_node_name, l.end_node_name] for name, l in model.links()],
    "sources": model.reservoir_name_list + model.tank_name_list,
    "valves": [[r.link, r.node] for r in valves.itertuples()],
    "node_segments": {k: int(v) for k, v in nodes.items()},
    "link_segments": {k: int(v) for k, v in links.items()},
}, sys.stdout)
