package schemas

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDataset is how many bytes a dataset's name may have, escaped: blob keys hold it as one part, of which file systems take 255.
const maxDataset = 200

// CheckDataset says what is wrong with the name of a dataset. It is printable UTF-8 without blanks at its ends, at most 200
// bytes as a URL's path escapes it, no "." or "..", and without "@", which begins the version of rules and of labels.
func CheckDataset(name string) error {
	escaped := url.PathEscape(name)
	switch {
	case name == "" || len(escaped) > maxDataset || !utf8.ValidString(name):
		return fmt.Errorf("%.80q: want the name of a dataset, at most %d bytes of UTF-8 with what a URL escapes", name, maxDataset)
	case escaped == "." || escaped == "..":
		return fmt.Errorf("%q: it cannot be a folder's name", name)
	case strings.Contains(name, "@") || name != strings.TrimSpace(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%.80q: want the name of a dataset, without @, control characters and blanks at its ends", name)
	}
	return nil
}
