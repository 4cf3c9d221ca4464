"""How fast this machine trains, generates and scores, as a share of what it can: `ganbench bench`."""
