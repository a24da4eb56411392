"""Other people's systems: each adapter is dull, and translates its vendor's errors into ours."""
