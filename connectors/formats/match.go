package formats

import (
	"fmt"
	"path"
	"strings"
)

// match says which of the labels' names is that of each image, and which are of none; images that have none are left out. An image has the labels at its own
// path, where at says these would be, or else, of those that no image has so, the ones whose path ends like its own: images/a/x.jpg has
// a/x.txt, and so has a/x.jpg x.txt or some/a/x.txt; the most alike counts. It refuses what is still ambiguous (ErrAmbiguous), and
// labels of which none is of an image (ErrUnmatched).
func match(images, names []string, at func(image string) string) (of map[string]string, spare []string, err error) {
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	of = map[string]string{}
	by := map[string]string{} // images by names
	var doubts []string
	take := func(image, name string) {
		if other, taken := by[name]; taken {
			doubts = append(doubts, fmt.Sprintf("%s could be of %s and of %s", name, other, image))
			return
		}
		of[image], by[name] = name, image
	}
	for _, image := range images {
		if name := at(image); there[name] {
			take(image, name)
		}
	}
	left := map[string][]string{} // by their last part
	for _, name := range names {
		if by[name] == "" {
			left[path.Base(name)] = append(left[path.Base(name)], name)
		}
	}
	for _, image := range images {
		want := at(image)
		if there[want] {
			continue
		}
		var best []string
		most := 1
		for _, name := range left[path.Base(want)] {
			if n := alike(want, name); n > most {
				best, most = []string{name}, n
			} else if n == most {
				best = append(best, name)
			}
		}
		switch len(best) {
		case 0:
		case 1:
			take(image, best[0])
		default:
			doubts = append(doubts, fmt.Sprintf("%s could have %s", image, strings.Join(best, " and ")))
		}
	}
	if n := len(doubts); n > 0 {
		return nil, nil, fmt.Errorf("%w: %s (%d such in all)", ErrAmbiguous, doubts[0], n)
	}
	if len(of) == 0 && len(images) > 0 {
		found := "nothing"
		if len(names) > 0 {
			found = names[0]
		}
		return nil, nil, fmt.Errorf("%w: those of %s would be %s, and there is %s", ErrUnmatched, images[0], at(images[0]), found)
	}
	for _, name := range names {
		if by[name] == "" {
			spare = append(spare, name)
		}
	}
	return of, spare, nil
}

// alike is the length of the shorter path where it is the end of the other, else 0.
func alike(a, b string) int {
	a, b = path.Clean("/"+a), path.Clean("/"+b)
	if strings.HasSuffix(a, b) || strings.HasSuffix(b, a) {
		return min(len(a), len(b))
	}
	return 0
}
