package cli

import (
	"errors"
	"fmt"
	"strings"
)

// pairs is the value of a flag name=value that may be repeated. Values are any text, commas included.
type pairs map[string]string

// Set takes one more.
func (p pairs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want name=value")
	}
	if before, twice := p[name]; twice {
		return fmt.Errorf("%s is %q already", name, before)
	}
	p[name] = value
	return nil
}

// Type names the value for the help.
func (p pairs) Type() string { return "name=value" }

// String is empty, since the default is.
func (p pairs) String() string { return "" }
