package schemas

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseClassNames reads class names as exporters of YOLO models put them into a file's metadata_props under MetadataNames: what Python
// prints of a dict by class id, such as {0: 'person', 1: "driver's cab"}, or of a list. Names come in the order of their ids, which
// are 0 to n-1, each there once. An error says what is wrong where, or which id is missing.
func ParseClassNames(text string) ([]string, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("no UTF-8")
	}
	l := literal{text: text, rest: text}
	closing, dict := "]", l.skip("{")
	if dict {
		closing = "}"
	} else if !l.skip("[") {
		return nil, l.want("{ or [")
	}
	byID := map[int]string{}
	for !l.skip(closing) {
		if len(byID) > 0 && !l.skip(",") {
			return nil, l.want(", or " + closing)
		}
		id := len(byID)
		if dict {
			var err error
			if id, err = l.id(); err != nil {
				return nil, err
			}
		}
		if _, twice := byID[id]; twice {
			return nil, fmt.Errorf("class id %d is there twice", id)
		}
		name, err := l.quoted()
		if err != nil {
			return nil, err
		}
		byID[id] = name
	}
	if l.skip(""); l.rest != "" {
		return nil, l.want("nothing more")
	}
	names := make([]string, len(byID))
	for id := range names {
		name, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("class id %d is missing: want 0 to %d for %d names", id, len(names)-1, len(names))
		}
		names[id] = name
	}
	return names, CheckClasses(names)
}

// literal is text of which rest is still to be read.
type literal struct{ text, rest string }

func (l *literal) want(what string) error {
	return fmt.Errorf("byte %d: want %s", len(l.text)-len(l.rest), what)
}

// skip passes over blanks and then the token, and tells whether that was there.
func (l *literal) skip(token string) (ok bool) {
	l.rest, ok = strings.CutPrefix(strings.TrimLeft(l.rest, " \t\r\n"), token)
	return ok
}

func (l *literal) id() (int, error) {
	l.skip("")
	digits := l.rest[:len(l.rest)-len(strings.TrimLeft(l.rest, "0123456789"))]
	id, err := strconv.Atoi(digits)
	if err != nil {
		return 0, l.want("a class id, such as 0")
	}
	l.rest = l.rest[len(digits):]
	if !l.skip(":") {
		return 0, l.want(":")
	}
	return id, nil
}

func (l *literal) quoted() (string, error) {
	quote := byte('\'')
	if !l.skip(`'`) {
		if quote = '"'; !l.skip(`"`) {
			return "", l.want("a name in quotes")
		}
	}
	var name strings.Builder
	for l.rest != "" && l.rest[0] != quote {
		r, _, rest, err := strconv.UnquoteChar(l.rest, quote) // of what Python's repr escapes, Go's meaning is the same
		if err != nil {
			return "", l.want("an escape sequence")
		}
		name.WriteRune(r)
		l.rest = rest
	}
	if !l.skip(string(quote)) {
		return "", l.want("the closing quote")
	}
	return name.String(), nil
}
