// The API definition, to read and to try.
"use strict";

const definition = document.getElementById("definition");
SwaggerUIBundle({
  url: definition.dataset.url,
  domNode: definition,
  deepLinking: true,
  validatorUrl: null,
});
