// Package decide turns scores into actions by the decisions of a dataset's rules: what to remove, to send to people, to oversample,
// to keep as the coreset, and which classes to distill.
//
// Expressions are in CEL (stages/rules/expression). Of an object they see every column of schemas.ScoreColumns as a double or a
// bool, and
//
//	dataset, class, lineage, kind  string, empty where unknown
//	slices                         map(string, string)
//	epochs                         double: how many the run has shown
//	bytes                          double: of the encoded image, 0 where unknown
//
// and of a class, where the action is distill,
//
//	dataset, class  string
//	objects         double: how many the run has presented
//	epochs          double
//	replay_bytes    double: of the images of all of them, what it takes to replay the class
//	stability       double: Jaccard index of the class's picks, the Top objects by By, now and at the evaluation before, [0,1]
//
// An evaluation counts for an object, or a class, when its run has presented it since that run's last one that counted. So the same
// rows evaluated twice change nothing, however often a process is restarted, or another run is evaluated, in between.
package decide
