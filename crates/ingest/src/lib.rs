//! Files to model: GDAL formats, CityGML, CityJSON, survey tables, EPANET and SWMM; one report for all.
