"""Generated data sets, which need no download before the first result, and the conversion of Pascal VOC to COCO."""
