/* Settings of this copy of the runtime; flags of the build (-D) come first. `tflm-split runtime MODEL -o DIR` writes it
 * with the kinds of op that the models need. */
#ifndef SPLIT_NN_CONFIG_H_
#define SPLIT_NN_CONFIG_H_

/* The version of tflm_split that this copy belongs to: a program and its executor come from the same one. */
#define TFLM_SPLIT_VERSION "0.1.0"

#endif /* SPLIT_NN_CONFIG_H_ */
