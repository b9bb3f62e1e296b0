// A split model on a picture that lies in flash. Open the serial monitor at 115200 baud.
#include <TensorFlowLite.h>  // or whatever the header of your TensorFlow Lite Micro library is called

#include <tflm_split.h>

#include "picture.h"
#include "static_picture.h"

void setup() {
    Serial.begin(115200);
}

void loop() {
    const static_picture_result result = static_picture_run();
    if (result.error != nullptr) {
        Serial.println(result.error);
    } else {
        Serial.print(picture_labels[result.best]);
        Serial.println(result.as_expected ? ", each byte as expected" : ", but other bytes than expected");
    }
    delay(5000);
}
