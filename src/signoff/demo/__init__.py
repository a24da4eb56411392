"""The main job on real market data: a candidate, its approval, its rollout through 2019 and 2020, and the way back."""
