"""How generated images become numbers: protocols, feature extractors, quantisation, scores."""
