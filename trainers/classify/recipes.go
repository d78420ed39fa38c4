package classify

// Recipe is the choices for a network on images of about 32 pixels a side, tens of thousands of them. Fewer images want more epochs, and
// images whose mirror images mean something else no flips.
func Recipe(network string) (Config, error) {
	cfg := DefaultConfig()
	cfg.Network, cfg.Width = network, 0
	_, err := networkNamed(network)
	switch network {
	case "airbench":
		// Those of airbench94_muon (github.com/KellerJordan/cifar10-airbench) for a quarter of its batch and half of its width: full width
		// is as accurate for its time, but wants more of it.
		cfg.Width, cfg.Epochs, cfg.Batch, cfg.Pass = 32, 12, 500, 125
		cfg.Optimizer, cfg.Rate, cfg.Warmup, cfg.Final, cfg.Momentum = "muon", 0.12, 0, 0, 0.7
		cfg.Decay, cfg.BiasRate, cfg.HeadRate, cfg.Smoothing = 0, 180, 2.8, 0.2
	case "resnet9":
		cfg.Epochs, cfg.Batch, cfg.Pass, cfg.Rate, cfg.Decay, cfg.Smoothing = 15, 256, 128, 0.2, 1e-3, 0.1
		cfg.Augment.Crop, cfg.Augment.Cutout = 4, 8
	}
	return cfg, err
}
