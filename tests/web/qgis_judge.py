"""What QGIS makes of a record and of the OGC API beside it: one JSON document on the last line."""
import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import Qgis, QgsApplication, QgsProviderRegistry, QgsVectorLayer, QgsWkbTypes

app = QgsApplication([], False)
app.initQgis()
record, address = sys.argv[1], sys.argv[2]


def parts(geometry):
    return [geometry] if geometry.isNull() else geometry.asGeometryCollection()


def told(layer):
    first = next(layer.getFeatures(), None)
    point = first.geometry().vertexAt(0) if first else None
    return {
        "valid": layer.isValid(),
        "count": layer.featureCount(),
        "type": QgsWkbTypes.displayString(layer.wkbType()),
        "crs": layer.crs().authid(),
        "fields": [f.name() for f in layer.fields()],
        "first": [point.x(), point.y(), point.z()] if point else None,
        # Every geometry is read and judged by GEOS, part by part: the triangles of a TIN share their edges on purpose.
        "unsound": sum(1 for f in layer.getFeatures() if not all(p.isGeosValid() for p in parts(f.geometry()))),
    }


ogr = QgsProviderRegistry.instance().providerMetadata("ogr")
names = [s.name() for s in ogr.querySublayers(record)]
layers = {}
for name in names:
    layer = QgsVectorLayer(f"{record}|layername={name}", name, "ogr")
    if layer.isValid() and layer.isSpatial():
        layers[name] = told(layer)
api = QgsVectorLayer(f" url='{address}/ogc' typename='water' maxNumFeatures='' pageSize='1000'", "water", "OAPIF")
print(json.dumps({"qgis": Qgis.QGIS_VERSION, "layers": layers, "api": told(api)}))
sys.stdout.flush()
app.exitQgis()
