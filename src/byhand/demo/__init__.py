"""The main job on real data: derive a network's gradients, check them, and train with the generated code."""
