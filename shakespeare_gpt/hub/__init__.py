"""Put the page or the model on the Hugging Face Hub: python -m shakespeare_gpt.hub --help"""
