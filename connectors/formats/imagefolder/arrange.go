package imagefolder

import (
	"fmt"
	"slices"
	"strings"

	"gleaner/schemas"
)

// splits are the folders that may stand above those of the classes.
var splits = []struct {
	folder string
	split  schemas.Split
}{{"train", schemas.SplitTrain}, {"val", schemas.SplitVal}, {"test", schemas.SplitTest}}

// Arrangement says of images what their names say.
type Arrangement struct {
	Classes []string        // sorted
	Class   []int           // of each image, an index of Classes
	Split   []schemas.Split // of each image; nil where the folders say nothing of it
}

// wanted is how folders are to be, for people.
const wanted = "want DIR/CLASS/*.jpg, or DIR/train/CLASS/*.jpg with DIR/test or DIR/val beside it"

// Arrange reads classes and splits from the paths of images. Folders that all images share are passed over, but for the last one.
// Those called train, val and test are splits, if there are train and another and no further one. The folder below is the class;
// what is below that does not matter. A name that is there twice, an image without a class, fewer than two classes, and a class
// of which nothing can be learned since it has no image in train, are errors.
func Arrange(names []string) (Arrangement, error) {
	var a Arrangement
	parts := make([][]string, len(names))
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			return a, fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		parts[i] = strings.Split(name, "/")
	}
	if len(names) == 0 {
		return a, fmt.Errorf("no images: %s", wanted)
	}
	for !slices.ContainsFunc(parts, func(p []string) bool { return len(p) < 3 || p[0] != parts[0][0] }) {
		for i := range parts {
			parts[i] = parts[i][1:]
		}
	}
	if divided(parts) {
		for i, p := range parts {
			a.Split = append(a.Split, splitOf(p[0]))
			parts[i] = p[1:]
		}
	}
	learned := map[string]bool{}
	for i, p := range parts {
		if len(p) < 2 {
			return a, fmt.Errorf("%s lies in no folder of a class: %s", names[i], wanted)
		}
		if a.Split == nil || a.Split[i] == schemas.SplitTrain {
			if !learned[p[0]] {
				a.Classes = append(a.Classes, p[0])
			}
			learned[p[0]] = true
		}
	}
	slices.Sort(a.Classes)
	if len(a.Classes) < 2 {
		return a, fmt.Errorf("one class, %s, is all there is: there is nothing to tell apart; %s", a.Classes[0], wanted)
	}
	for i, p := range parts {
		class, ok := slices.BinarySearch(a.Classes, p[0])
		if !ok {
			return a, fmt.Errorf("%s is of class %s, of which there are no images in train", names[i], p[0])
		}
		a.Class = append(a.Class, class)
	}
	return a, nil
}

// divided tells whether the first folders are splits.
func divided(parts [][]string) bool {
	found := map[schemas.Split]bool{}
	for _, p := range parts {
		split := splitOf(p[0])
		if split == "" {
			return false
		}
		found[split] = true
	}
	return found[schemas.SplitTrain] && len(found) > 1
}

func splitOf(folder string) schemas.Split {
	for _, s := range splits {
		if s.folder == folder {
			return s.split
		}
	}
	return ""
}
