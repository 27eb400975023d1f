"""The demonstration: the whole main job on real data, on this machine. It uses the runtime as any face would."""
