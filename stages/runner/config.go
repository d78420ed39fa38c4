package runner

import (
	"errors"
	"fmt"
	"time"

	"gleaner/schemas"
)

// Config sets how much a step does at once and how it treats failures.
type Config struct {
	Concurrency        int              `yaml:"concurrency"`           // calls of the handler at once
	MaxInFlightRecords int              `yaml:"max_in_flight_records"` // read and not yet acknowledged
	MaxInFlightBytes   schemas.ByteSize `yaml:"max_in_flight_bytes"`   // inputs and outputs held; one record above it passes alone

	BatchRecords int              `yaml:"batch_records"` // batch handlers only: a batch is handled when it has as many records,
	BatchBytes   schemas.ByteSize `yaml:"batch_bytes"`   // or as many bytes,
	BatchWait    time.Duration    `yaml:"batch_wait"`    // or when its first record has waited as long

	RetryMin      time.Duration `yaml:"retry_min"`      // first backoff; doubles, with jitter
	RetryMax      time.Duration `yaml:"retry_max"`      // longest backoff
	RetryAttempts int           `yaml:"retry_attempts"` // a record that failed as often goes to the dead letters; 0: retried without end

	FaultWindow int `yaml:"fault_window"` // of the last so many records
	FaultLimit  int `yaml:"fault_limit"`  // at most so many may go to the dead letters; one more stops the step

	DrainTimeout time.Duration `yaml:"drain_timeout"` // how long stopping waits for what is in flight
	LagEvery     time.Duration `yaml:"lag_every"`     // how often the lag is measured
}

// DefaultConfig suits a step bound by the processor on a small machine.
func DefaultConfig() Config {
	return Config{
		Concurrency:        2,
		MaxInFlightRecords: 256,
		MaxInFlightBytes:   64 << 20,
		BatchRecords:       2048,
		BatchBytes:         16 << 20,
		BatchWait:          500 * time.Millisecond,
		RetryMin:           50 * time.Millisecond,
		RetryMax:           10 * time.Second,
		FaultWindow:        1000,
		FaultLimit:         100,
		DrainTimeout:       10 * time.Second,
		LagEvery:           10 * time.Second,
	}
}

// Validate names every field that is out of range.
func (c Config) Validate() error {
	var errs []error
	positive := func(name string, ok bool) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be above zero", name))
		}
	}
	positive("concurrency", c.Concurrency > 0)
	positive("max_in_flight_records", c.MaxInFlightRecords > 0)
	positive("max_in_flight_bytes", c.MaxInFlightBytes > 0)
	positive("batch_records", c.BatchRecords > 0)
	positive("batch_bytes", c.BatchBytes > 0)
	positive("batch_wait", c.BatchWait > 0)
	positive("retry_min", c.RetryMin > 0)
	positive("fault_window", c.FaultWindow > 0)
	positive("drain_timeout", c.DrainTimeout > 0)
	positive("lag_every", c.LagEvery > 0)
	if c.RetryMax < c.RetryMin {
		errs = append(errs, fmt.Errorf("retry_max %v is below retry_min %v", c.RetryMax, c.RetryMin))
	}
	if c.RetryAttempts < 0 {
		errs = append(errs, fmt.Errorf("retry_attempts %d is negative: 0 retries without end", c.RetryAttempts))
	}
	if c.FaultLimit < 0 || c.FaultLimit >= c.FaultWindow && c.FaultWindow > 0 {
		errs = append(errs, fmt.Errorf("fault_limit %d must be at least 0 and below fault_window %d, or it never stops the step", c.FaultLimit, c.FaultWindow))
	}
	return errors.Join(errs...)
}
